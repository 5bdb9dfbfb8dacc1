#include "app/greeting.h"
#include <stdio.h>

int main(void) { return puts(greeting) < 0; }
