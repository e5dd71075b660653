"""A square picture to draw on: pictures, threads, tags and frames. Needs Pillow."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

SIZE = 512
OVERSAMPLING = 3
PAPER, FRAME, INK, FAINT = "#1e2126", "#2b3038", "#f2f0ea", "#8b93a1"
Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]


class Page:
    """A square picture drawn larger than it is saved; all lengths are in the saved picture's pixels."""

    def __init__(self):
        self._image = Image.new("RGB", (SIZE * OVERSAMPLING,) * 2, PAPER)

    @property
    def _draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, text: str, size: int, color: str) -> None:
        font = ImageFont.load_default(size * OVERSAMPLING)
        while font.getlength(text) > (SIZE - 2 * x) * OVERSAMPLING:
            font = font.font_variant(size=font.size - OVERSAMPLING)
        self._draw.text(_scaled((x, y)), text, color, font)

    def rectangle(self, edges: Rectangle, fill: str | None, outline: str, width: float) -> None:
        self._draw.rounded_rectangle(_scaled(edges), 6 * OVERSAMPLING, fill, outline, round(width * OVERSAMPLING))

    def photo(self, photo: Image.Image, edges: Rectangle, color: str, opacity: float = 1.0) -> None:
        left, top, right, bottom = _scaled(edges)
        fitted = ImageOps.fit(photo, (right - left, bottom - top), Image.Resampling.LANCZOS)
        shape = Image.new("L", fitted.size)
        ImageDraw.Draw(shape).rounded_rectangle(
            (0, 0, fitted.width - 1, fitted.height - 1), 6 * OVERSAMPLING, round(255 * opacity)
        )
        self._image.paste(fitted, (left, top), shape)
        self.rectangle(edges, None, color, 3)

    def whole(self, picture: Image.Image, edges: Rectangle) -> None:
        """A picture as large as fits, nothing of it cut off."""
        left, top, right, bottom = _scaled(edges)
        fitted = ImageOps.contain(picture, (right - left, bottom - top), Image.Resampling.LANCZOS)
        self._image.paste(fitted, ((left + right - fitted.width) // 2, (top + bottom - fitted.height) // 2))

    def thread(self, start: Point, end: Point, color: str) -> None:
        """A soft S from one point to another."""
        (x0, y0), (x1, y1) = start, end
        middle = (x0 + x1) / 2
        points = []
        for step in range(41):
            t = step / 40
            u = 1 - t
            x = u**3 * x0 + 3 * u * u * t * middle + 3 * u * t * t * middle + t**3 * x1
            y = u**3 * y0 + 3 * u * u * t * y0 + 3 * u * t * t * y1 + t**3 * y1
            points.append(_scaled((x, y)))
        self._draw.line(points, color, 3 * OVERSAMPLING, joint="curve")

    def dot(self, x: float, y: float, color: str) -> None:
        self._draw.circle(_scaled((x, y)), 6 * OVERSAMPLING, color)

    def tag(self, x: float, y: float, text: str, color: str) -> None:
        """A filled square with a number at a box's corner."""
        self._draw.rounded_rectangle(_scaled((x, y, x + 26, y + 26)), 6 * OVERSAMPLING, color)
        font = ImageFont.load_default(17 * OVERSAMPLING)
        self._draw.text(_scaled((x + 13, y + 13)), text, PAPER, font, anchor="mm")

    def dashed(self, start: Point, end: Point, color: str, width: float = 2) -> None:
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        for step in range(0, round(length), 9):
            a, b = step / length, min((step + 5) / length, 1)
            points = [tuple(p + (q - p) * t for p, q in zip(start, end, strict=True)) for t in (a, b)]
            self._draw.line([_scaled(point) for point in points], color, round(width * OVERSAMPLING))

    def dashed_rectangle(self, edges: Rectangle, color: str, width: float = 2) -> None:
        left, top, right, bottom = edges
        for start, end in (((left, top), (right, top)), ((left, bottom), (right, bottom)),
                           ((left, top), (left, bottom)), ((right, top), (right, bottom))):
            self.dashed(start, end, color, width)

    def corner(self, edges: Rectangle, share: float, color: str) -> None:
        """The smaller frame of a first pass inside the frame, and an arrow from its corner to the frame's."""
        left, top, right, bottom = edges
        x, y = left + (right - left) * share, top + (bottom - top) * share
        self.dashed((left, y), (x, y), color)
        self.dashed((x, top), (x, y), color)
        tip = (right - 10, bottom - 10)
        self._draw.line([_scaled((x, y)), _scaled(tip)], color, 3 * OVERSAMPLING)
        self._draw.polygon([_scaled(p) for p in (tip, (tip[0] - 18, tip[1] - 5), (tip[0] - 5, tip[1] - 18))], color)

    def save(self, path: Path, quality: int = 90) -> None:
        self._image.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(path, quality=quality, optimize=True)


def _scaled(lengths: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(length * OVERSAMPLING) for length in lengths)
