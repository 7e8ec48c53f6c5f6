/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <string.h>

#include "chat/peer.h"
#include "unit/unit.h"

static Peer peer_of(const char *address, uint16_t port)
{
    Peer peer = {.port = port};

    if (strncmp(address, "uid ", 4) == 0) {
        peer.is_local = true;
        peer.uid = (uint32_t) strtoul(address + 4, NULL, 10);
    } else if (strchr(address, ':') != NULL) {
        ck_assert_int_eq(inet_pton(AF_INET6, address, peer.address), 1);
    } else {
        peer.address[10] = peer.address[11] = 0xff;
        ck_assert_int_eq(inet_pton(AF_INET, address, peer.address + 12), 1);
    }
    return peer;
}

START_TEST(test_format)
{
    static const struct {
        const char *address;
        uint16_t port;
        const char *text;
    } cases[] = {
        {"192.0.2.1", 5, "192.0.2.1 port 5"},
        {"255.255.255.255", 65535, "255.255.255.255 port 65535"},
        {"::ffff:192.0.2.1", 5, "192.0.2.1 port 5"},
        {"2001:db8::1", 5, "2001:db8::1 port 5"},
        {"2001:db8:1111:2222:3333:4444:5555:6666", 65535,
         "2001:db8:1111:2222:3333:4444:5555:6666 port 65535"},
        {"::1", 0, "::1 port 0"},
        {"uid 0", 0, "uid 0"},
        {"uid 4294967295", 0, "uid 4294967295"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Peer peer = peer_of(cases[i].address, cases[i].port);
        char text[PEER_TEXT_MAX];

        peer_format(&peer, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

/* What counts as one place. The port never matters. */
START_TEST(test_key)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "2001:db8::1", false},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:2::", false},
        {"uid 0", "uid 1", false},
        {"uid 1", "::", false},
        {"uid 16777343", "127.0.0.1", false}, /* the same bytes */
        {"::", "0.0.0.0", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8:0:1::1", "2001:db8:0:1::2", true},
        {"2001:db8:0:1::", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
        {"uid 1000", "uid 1000", true},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Peer a = peer_of(cases[i].a, 1), b = peer_of(cases[i].b, 2);

        ck_assert_msg((peer_place(&a) == peer_place(&b)) == cases[i].is_same, "%s, %s", cases[i].a,
                      cases[i].b);
        ck_assert_uint_ne(peer_place(&a), 0);
        ck_assert_uint_ne(peer_place(&b), 0);
    }
}
END_TEST

/* How it is written. */
START_TEST(test_place)
{
    static const struct {
        const char *address, *place;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::/64"},
        {"2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222::/64"},
        {"::1", "::/64"},
        {"::", "::/64"},
        {"uid 0", "uid 0"},
        {"uid 4294967295", "uid 4294967295"},
    };
    char text[PEER_TEXT_MAX];

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Peer peer = peer_of(cases[i].address, 1);

        peer_format_place(peer_place(&peer), text);
        ck_assert_str_eq(text, cases[i].place);
    }
}
END_TEST

UNIT_MAIN("peer", test_format, test_key, test_place)
