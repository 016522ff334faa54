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

/* The answer, without its record's header: TLS 1.3 (in an extension) or 1.2. */
#define SERVER_RANDOM "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
#define RETRY_RANDOM                                                       \
	"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" \
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"
#define SERVER_1_3(random) "\2\0\0\x2e\3\3" random "\0\x13\2\0\0\6\0\x2b\0\2\3\4"
#define SERVER_1_3_RESUMED \
	"\2\0\0\x34\3\3" SERVER_RANDOM "\0\x13\1\0\0\x0c\0\x2b\0\2\3\4\0\x29\0\2\0\0"
#define SERVER_1_2 "\2\0\0\x31\3\3" SERVER_RANDOM "\0\xc0\x30\0\0\x09\0\x10\0\5\0\3\2h2"

#endif
