#include "libraries/visits.h"

#include <sqlite3.h>
#include <stddef.h>

static sqlite3 *database(void) {
    static sqlite3 *open;
    if (!open) {
        if (sqlite3_open(":memory:", &open) != SQLITE_OK) return NULL;
        sqlite3_exec(open, "CREATE TABLE visit (path TEXT PRIMARY KEY, count INTEGER)", NULL, NULL, NULL);
    }
    return open;
}

int visit(const char *path) {
    static const char *text = "INSERT INTO visit VALUES (?, 1) ON CONFLICT (path) DO UPDATE SET count = count + 1 RETURNING count";
    sqlite3_stmt *statement;
    int count = 0;
    if (!database() || sqlite3_prepare_v2(database(), text, -1, &statement, NULL) != SQLITE_OK) return 0;
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW) count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return count;
}
