package main

import (
	"fmt"

	"example.org/shop/words"
)

var version = "?"

func main() { fmt.Println(words.Hello, version) }
