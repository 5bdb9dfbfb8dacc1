local greeting = {}

function greeting.of(name)
    return ("Hello, %s, from %s!"):format(name, _VERSION)
end

return greeting
