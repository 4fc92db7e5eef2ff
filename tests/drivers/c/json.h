/* Just enough JSON to pass its parts on: a value is a span of the text it stands in. */
#ifndef DRIVER_JSON_H
#define DRIVER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A value; its text is NULL when there is none. */
typedef struct {
  const char *text;
  size_t length;
} json_span;

/* The value at the beginning of a text. */
json_span json_value(const char *text);

/* The next member of an object; *at begins at the object's text and is moved on. False at the end. */
bool json_next_member(const char **at, json_span *out_name, json_span *out_value);

/* The value of an object's member. */
json_span json_member(json_span object, const char *name);

/* The only item of a list; none when it has no item or several. */
json_span json_sole_item(json_span list);

/* Whether the value is a text without escapes, so that its bytes are what it means. */
bool json_is_plain_text(json_span value);

/* A copy of the bytes between the quotes of a plain text, or of all bytes of another value. The caller frees it. */
char *json_copy(json_span value);

/* Writes a text as a JSON string. */
void json_write_text(FILE *out, const char *text);

#endif
