/* allocate.h - included before every file of the library in the torture build: its memory comes from a counter that
 * can be made to fail. */
#ifndef WPS_TORTURE_ALLOCATE_H
#define WPS_TORTURE_ALLOCATE_H

#include <stdlib.h>
#include <string.h>

void *torture_malloc(size_t size);
void *torture_calloc(size_t count, size_t size);
void *torture_realloc(void *old, size_t size);
char *torture_strdup(const char *text);
void torture_free(void *memory);
/* Of the library: has it wiped what was in there? */
void torture_free_wiped(void *memory, const char *file, int line);

#ifndef WPS_TORTURE_HOST
#define malloc torture_malloc
#define calloc torture_calloc
#define realloc torture_realloc
#define strdup torture_strdup
#define free(memory) torture_free_wiped(memory, __FILE__, __LINE__)
#endif

#endif
