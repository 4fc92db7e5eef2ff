/* A record: one JSON file in the output folder, and the file it tells of. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>

/* Length of a SHA-256 in lower-case hex, with the closing zero. */
enum { SHA256_TEXT = 65 };

/* Writes the SHA-256 of a file's bytes to `out_text`. False, with errno, when the file cannot be read. */
bool record_checksum(const char *path, char out_text[SHA256_TEXT]);

/*
 * Writes `length` bytes as the file `path`: after a crash at any instruction either all of them are there, on the disk,
 * or what was there before. Writing the same record again changes nothing. False, with errno, when that failed.
 */
bool record_write(const char *path, const char *bytes, size_t length);

#endif
