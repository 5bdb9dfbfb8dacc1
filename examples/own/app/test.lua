local greeting = require("app.greeting")

assert(greeting.of("you") == "Hello, you, from Lua 5.4!")
