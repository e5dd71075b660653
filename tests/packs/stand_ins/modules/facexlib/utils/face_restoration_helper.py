"""Takes the whole picture for the aligned face."""


class FaceRestoreHelper:
    def __init__(self, *_, **__):
        self.clean_all()

    def clean_all(self):
        self.cropped_faces, self._image = [], None

    def read_image(self, image):
        self._image = image

    def get_face_landmarks_5(self, **_):
        pass

    def align_warp_face(self):
        self.cropped_faces = [self._image]
