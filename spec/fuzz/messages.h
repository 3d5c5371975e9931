/* messages.h - responses that nobody meant to send: well-formed and broken ones, mutated and joined. */
#ifndef WPS_FUZZ_MESSAGES_H
#define WPS_FUZZ_MESSAGES_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 4096, HEADER_BYTES = 512, BODY_BYTES = 256, ROUNDS_A_LOOK = 1000, MOST_CHANGES = 8 };

static const char *const corpus[] = {
    "HTTP/1.1 204 No Content\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"code\":\"none\"",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\nTrailer: x\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 502\r\nServer: x\r\nContent-Length: 300\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
};
static const char *const words[] = {
    "\r\n", "\r\n\r\n", "\n", "\r", " ", "\t", ":", ";", ",", "0", "00", "ffffffffffffffff", "18446744073709551616",
    "-1", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 \r\n\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "\x7f", "\xff", "1", "2", "3",
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------------------ randomness */

static uint64_t state;

static uint64_t random_bits(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

static void seed_round(uint64_t seed)
{
    state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static size_t below(size_t limit)
{
    return limit ? (size_t)(random_bits() >> 16) % limit : 0;
}

/* ------------------------------------------------------------------ mutation */

struct message {
    char bytes[LONGEST];
    size_t length;
};

static void insert(struct message *message, size_t at, const char *bytes, size_t length)
{
    if (length > LONGEST - message->length)
        return;
    memmove(message->bytes + at + length, message->bytes + at, message->length - at);
    memmove(message->bytes + at, bytes, length);
    message->length += length;
}

static void erase(struct message *message, size_t at, size_t length)
{
    memmove(message->bytes + at, message->bytes + at + length, message->length - at - length);
    message->length -= length;
}

static void mutate(struct message *message)
{
    size_t at = below(message->length + 1), left = message->length - at;
    const char *word = words[below(COUNT(words))], *seed = corpus[below(COUNT(corpus))];
    char copy[64];
    size_t length = below(left < sizeof copy ? left + 1 : sizeof copy + 1);
    char byte = (char)random_bits();

    switch (below(7)) {
    case 0:
        if (left)
            message->bytes[at] = (char)(message->bytes[at] ^ 1 << below(8));
        break;
    case 1:
        insert(message, at, &byte, 1);
        break;
    case 2:
        insert(message, at, word, strlen(word));
        break;
    case 3:
        erase(message, at, length);
        break;
    case 4: /* repeat a piece */
        memcpy(copy, message->bytes + at, length);
        for (size_t times = below(20); times; times--)
            insert(message, at, copy, length);
        break;
    case 5: /* go on as another response */
        erase(message, at, left);
        length = below(strlen(seed) + 1);
        insert(message, at, seed + length, strlen(seed) - length);
        break;
    default: /* put a NUL */
        insert(message, at, "", 1);
        break;
    }
}

/* One or two responses, changed in fewer than `most` places. */
static void make_message(struct message *message, size_t most)
{
    message->length = 0;
    for (size_t parts = 1 + below(2); parts; parts--) {
        const char *seed = corpus[below(COUNT(corpus))];
        insert(message, message->length, seed, strlen(seed));
    }
    for (size_t times = below(most); times; times--)
        mutate(message);
}

static void print_bytes(const struct message *message)
{
    for (size_t i = 0; i < message->length; i++) {
        unsigned char byte = (unsigned char)message->bytes[i];
        printf(byte >= ' ' && byte < 0x7f && byte != '\\' ? "%c" : "\\x%02x", byte);
    }
    putchar('\n');
}

/* Not used by the oracle. */
static inline void report(const struct message *message, uint64_t seed)
{
    printf("SEED %" PRIu64 " fails at once, on %zu bytes:\n", seed, message->length);
    print_bytes(message);
}

#endif
