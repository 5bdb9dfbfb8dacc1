#include "app/greeting.h"

const char *greeting = "hello";
