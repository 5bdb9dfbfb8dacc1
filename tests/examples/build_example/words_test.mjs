import assert from "node:assert";
import { hello } from "./words.mjs";

assert.equal(hello, "hello");
