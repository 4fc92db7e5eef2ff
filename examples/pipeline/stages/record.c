#define _GNU_SOURCE
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool digest_file(int file, EVP_MD_CTX *digest)
{
    static unsigned char buffer[1 << 16];
    ssize_t count;
    while ((count = read(file, buffer, sizeof buffer)) != 0) {
        if (count > 0)
            EVP_DigestUpdate(digest, buffer, (size_t)count);
        else if (errno != EINTR)
            return false;
    }
    return true;
}

bool record_checksum(const char *path, char out_text[SHA256_TEXT])
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    bool whole = digest_file(file, digest);
    int why = errno;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int count = 0;
    EVP_DigestFinal_ex(digest, bytes, &count);
    EVP_MD_CTX_free(digest);
    close(file);
    for (unsigned int at = 0; at < count; at++)
        snprintf(out_text + 2 * at, 3, "%02x", bytes[at]);
    errno = why;
    return whole;
}

static bool write_all(int file, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(file, bytes, length);
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
    return true;
}

/* The new name of a file is on the disk when its folder is. */
static bool sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    int folder = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(copy);
    bool done = folder >= 0 && fsync(folder) == 0;
    int why = errno;
    if (folder >= 0)
        close(folder);
    errno = why;
    return done;
}

bool record_write(const char *path, const char *bytes, size_t length)
{
    char *half = NULL;
    if (asprintf(&half, "%s.%ld.half", path, (long)getpid()) < 0)
        return false;
    int file = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool done = file >= 0 && write_all(file, bytes, length) && fsync(file) == 0;
    int why = errno;
    if (file >= 0)
        close(file);
    errno = why;
    done = done && rename(half, path) == 0 && sync_folder_of(path);
    why = errno;
    if (!done && file >= 0)
        unlink(half);
    free(half);
    errno = why;
    return done;
}
