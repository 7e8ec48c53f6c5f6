/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "archive/line.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/macro.h"

int line_read(Archive *archive, sqlite3_stmt *statement, ArchiveLine *ret_line)
{
    int64_t id = sqlite3_column_int64(statement, 0), wall = sqlite3_column_int64(statement, 1);
    int kind = sqlite3_column_int(statement, 2);
    int r;

    if (id < 0 || wall < 0)
        return sql_fail_damaged(archive, "a line has no id or time");
    *ret_line = (ArchiveLine){.id = (uint64_t) id,
                              .wall = (uint64_t) wall,
                              .kind = kind & 1 ? ARCHIVE_ACTION : ARCHIVE_SAID,
                              .who.is_verified = (kind & 2) != 0};
    if (ret_line->who.is_verified)
        ret_line->who.uid = (uint32_t) sqlite3_column_int64(statement, 3);
    r = sql_column_name(archive, statement, 4, &ret_line->room);
    if (r == 0)
        r = sql_column_name(archive, statement, 5, &ret_line->who.nick);
    if (r == 0)
        r = sql_column_clean(archive, statement, 6, ARCHIVE_TEXT_MAX, archive->clean, &ret_line->n);
    ret_line->text = archive->clean;
    return error_trace(r);
}

int line_find(Archive *archive, int64_t id, char text[ARCHIVE_TEXT_MAX], PartLine *ret_line,
              bool *ret_is_found)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    const char *column;
    bool is_row;
    int r;

    *ret_is_found = false;
    r = sql_begin(archive, "SELECT wall, room, person, text FROM lines WHERE id = ?1", &SQL_INT(id), 1,
                  &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0 || !is_row)
        return error_trace(r);
    *ret_line = (PartLine){.id = id,
                           .wall = sqlite3_column_int64(statement, 0),
                           .room = sqlite3_column_int64(statement, 1),
                           .person = sqlite3_column_int64(statement, 2),
                           .text = text};
    r = sql_column_text(archive, statement, 3, ARCHIVE_TEXT_MAX, &column, &ret_line->n);
    if (r != 0)
        return error_trace(r);
    memcpy(text, column, ret_line->n);
    *ret_is_found = true;
    return 0;
}

int line_delete(Archive *archive, const PartLine *line)
{
    int r;

    r = part_remove(archive, line);
    if (r != 0)
        return error_trace(r);
    return error_trace(SQL_RUN(archive, "DELETE FROM lines WHERE id = ?1", SQL_INT(line->id)));
}
