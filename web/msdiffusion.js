import { EXTENSION } from "./layout/extension.mjs";
import { app } from "../../scripts/app.js";

app.registerExtension(EXTENSION);
