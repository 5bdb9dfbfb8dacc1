/* Counts visits in a database in memory. */
#ifndef VISITS_H
#define VISITS_H

/* Notes a visit to `path`; gives how many it has had, 0 if the database cannot say. */
int visit(const char *path);

#endif
