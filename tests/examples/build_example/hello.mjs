import { hello } from "./words.mjs";

console.log(hello);
