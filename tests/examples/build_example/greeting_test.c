#include "app/greeting.h"
#include <string.h>

int main(void) { return strcmp(greeting, "hello"); }
