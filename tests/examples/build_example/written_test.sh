#!/bin/sh
grep -q "^Sold here" "$1"
