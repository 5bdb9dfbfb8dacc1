local greeting = require("app.greeting")

print(greeting.of(arg[1] or "world"))
