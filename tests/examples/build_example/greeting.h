extern const char *greeting;
