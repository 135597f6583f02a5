/* reeve/version.h - which libreeve this is. */
#ifndef REEVE_VERSION_H
#define REEVE_VERSION_H
#include <reeve/worker.h>
#define REEVE_VERSION		 "0.1.0"
#define REEVE_VERSION_NUMBER 0x000100 /* 0xMMmmpp: what you compile with */
#ifdef __cplusplus
extern "C" {
#endif
REEVE_PUBLIC const char *reeve_version(void); /* what you run with: "0.1.0" */
#ifdef __cplusplus
}
#endif
#endif
