#define _POSIX_C_SOURCE 200809L
#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char *after_space(const char *at) {
  return at + strspn(at, " \n\r");
}

static const char *after_text(const char *at) {
  for (at++; *at != '"'; at++) {
    if (*at == '\\') {
      at++;
    }
  }
  return at + 1;
}

json_span json_value(const char *text) {
  const char *at = after_space(text);
  json_span value = {at, 0};
  int depth = 0;
  do {
    if (*at == '"') {
      at = after_text(at);
    } else if (strchr("{[", *at)) {
      depth++, at++;
    } else if (strchr("}]", *at)) {
      depth--, at++;
    } else if (depth > 0) {
      at++;
    } else {
      at += strcspn(at, ",]} \n\r");
    }
  } while (depth > 0);
  value.length = (size_t)(at - value.text);
  return value;
}

bool json_next_member(const char **at, json_span *out_name, json_span *out_value) {
  const char *name = after_space(*at + 1); /* past { or , */
  if (*name != '"') {
    return false;
  }
  *out_name = json_value(name);
  const char *colon = after_space(name + out_name->length);
  *out_value = json_value(colon + 1);
  *at = after_space(out_value->text + out_value->length);
  return true;
}

json_span json_member(json_span object, const char *name) {
  const char *at = object.text;
  json_span found, value;
  while (at && json_next_member(&at, &found, &value)) {
    if (found.length == strlen(name) + 2 && memcmp(found.text + 1, name, strlen(name)) == 0) {
      return value;
    }
  }
  return (json_span){NULL, 0};
}

json_span json_sole_item(json_span list) {
  if (list.text && *list.text == '[' && *after_space(list.text + 1) != ']') {
    json_span item = json_value(list.text + 1);
    if (*after_space(item.text + item.length) == ']') {
      return item;
    }
  }
  return (json_span){NULL, 0};
}

bool json_is_plain_text(json_span value) {
  return value.text && *value.text == '"' && !memchr(value.text, '\\', value.length);
}

char *json_copy(json_span value) {
  bool quoted = *value.text == '"';
  return strndup(value.text + quoted, value.length - 2 * quoted);
}

void json_write_text(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    fprintf(out, strchr("\"\\", *text) ? "\\%c" : (unsigned char)*text < ' ' ? "\\u%04x" : "%c", *text);
  }
  fputc('"', out);
}
