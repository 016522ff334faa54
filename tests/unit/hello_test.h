/* SPDX-License-Identifier: BSD-2-Clause */
/* The first bytes of a TLS connection to api.example.com, RFC 8446 4.1.2, shortened. */
#ifndef RINGSPAN_TEST_HELLO_H
#define RINGSPAN_TEST_HELLO_H

#define HELLO_EXTENSIONS                               \
	"\x0a\x0a\0\0" /* one of RFC 8701 */           \
	"\0\0\0\x14\0\x12\0\0\x0f"                     \
	"api.example.com"                              \
	"\0\x10\0\x11\0\x0f\2\x1a\x1a\2h2\x08http/1.1" \
	"\0\x2b\0\7\6\x3a\x3a\3\4\3\3" /* versions */  \
	"\0\x33\0\x0c"                                 \
	"kkkkkkkkkkkk"
#define HELLO_BODY                         \
	"\3\3"                             \
	"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr" \
	"\0\0\4\x13\2\x13\1\1\0\0\x4c" HELLO_EXTENSIONS
#define CLIENT_HELLO "\x16\3\1\0\x7d\1\0\0\x79" HELLO_BODY

#endif
