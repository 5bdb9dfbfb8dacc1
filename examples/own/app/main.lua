-- Greets somebody, on standard output or in a file.
local greeting = require("app.greeting")

local out = arg[2] and assert(io.open(arg[2], "w")) or io.stdout
out:write(greeting.of(arg[1] or "world"), "\n")
