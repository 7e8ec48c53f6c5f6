/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The front for people with nc or telnet: chat-protocol(7). */

#include "front/front.h"

FrameResult plain_frame(const FrameInput *input, Frame *ret_frame);
size_t plain_render(const Chat *chat, uint32_t session, const Item *item, char *to);
