import { EXTENSION as LAYOUT } from "./layout/extension.mjs";
import { EXTENSION as LOADERS } from "./loaders.mjs";
import { app } from "../../scripts/app.js";

app.registerExtension(LAYOUT);
app.registerExtension(LOADERS);
