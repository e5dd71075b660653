import assert from "node:assert/strict";
import { test } from "node:test";
import { phraseOf } from "../../web/layout/model/file_names.mjs";

const SAID = {
  "red_backpack.png": "red backpack",
  "Red-Backpack.JPG": "red backpack",
  "redBackpack.webp": "red backpack",
  "my dog (2).png": "my dog",
  "cat copy (2).png": "cat",
  "cat - Copy.png": "cat",
  "teddy bear [final].tar.png": "teddy bear",
  "backpack_dog-3.png": "backpack dog",
  "dog7.png": "dog",
  "cat_512x512.png": "cat",
  "cat_v2.png": "cat",
  "bottle of milk.png": "bottle of milk",
  "the cat.png": "cat",
  "fox mask.png": "fox mask",
  "cat-removebg-preview.png": "cat",
  "photos/pets/grey cat.png": "grey cat",
  "C:\\photos\\grey cat.png": "grey cat",
  "girl's hat.png": "girls hat",
  "robot_3f2504e0-4f89-11d3-9a0c-0305e82c3301.png": "robot",
  "IMG_1234_dog.jpg": "dog",
  "红色背包.png": "红色背包",
  "café crème.jpeg": "café crème",
  "кот.png": "кот",
};
const SAYS_NOTHING = [
  "IMG_1234.jpg",
  "IMG-20240131-WA0007.jpg",
  "DSC01234.JPG",
  "DSC_0042.NEF.jpg",
  "PXL_20230101_101112345.jpg",
  "P1020304.jpg",
  "3f2504e0-4f89-11d3-9a0c-0305e82c3301.png",
  "9b2f4c6a81.png",
  "ComfyUI_00001_.png",
  "ComfyUI_temp_vfsrk_00001_.png",
  "image.png",
  "image (3).png",
  "Screenshot 2024-01-31 at 10.11.12.png",
  "Screen Shot 2024-01-31 at 10.11.12.png",
  "untitled.png",
  "download.jpeg",
  "12345.png",
  ".png",
  "",
];

test("a file name that names something becomes a phrase", () => {
  for (const [name, phrase] of Object.entries(SAID)) assert.equal(phraseOf(name), phrase, name);
});

test("a file name that names nothing gives no phrase", () => {
  for (const name of SAYS_NOTHING) assert.equal(phraseOf(name), "", name);
});

test("a long name ends with a whole word", () => {
  const phrase = phraseOf(`${"very ".repeat(30)}long.png`);
  assert.ok(phrase.length <= 60 && phrase.endsWith("very"));
});
