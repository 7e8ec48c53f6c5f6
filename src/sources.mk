# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The chatd authors
#
# All of the daemon but main.c, for the daemon itself (here) and for the variants that the tests build (tests/Makefile.am).
CHATD_SOURCES = \
	%reldir%/archive/archive.c %reldir%/archive/archive.h \
	%reldir%/archive/export.c %reldir%/archive/export.h \
	%reldir%/archive/line.c %reldir%/archive/line.h \
	%reldir%/archive/load.c \
	%reldir%/archive/part.c %reldir%/archive/part.h \
	%reldir%/archive/purge.c %reldir%/archive/purge.h \
	%reldir%/archive/query.c %reldir%/archive/query.h \
	%reldir%/archive/schema.c %reldir%/archive/schema.h \
	%reldir%/archive/search.c %reldir%/archive/search.h \
	%reldir%/archive/sql.c %reldir%/archive/sql.h \
	%reldir%/archive/write.c %reldir%/archive/write.h \
	%reldir%/base/clock.c %reldir%/base/clock.h \
	%reldir%/base/config.c %reldir%/base/config.h \
	%reldir%/base/config-load.c \
	%reldir%/base/crash.c %reldir%/base/crash.h \
	%reldir%/base/dropin.c %reldir%/base/dropin.h \
	%reldir%/base/error.h \
	%reldir%/base/guess.c %reldir%/base/guess.h \
	%reldir%/base/limits.h \
	%reldir%/base/log.c %reldir%/base/log.h \
	%reldir%/base/macro.c %reldir%/base/macro.h \
	%reldir%/base/name.c %reldir%/base/name.h \
	%reldir%/base/parse.c %reldir%/base/parse.h \
	%reldir%/base/rate.c %reldir%/base/rate.h \
	%reldir%/base/slots.c %reldir%/base/slots.h \
	%reldir%/base/text.c %reldir%/base/text.h \
	%reldir%/chat/chat.c %reldir%/chat/chat.h \
	%reldir%/chat/check.c %reldir%/chat/check.h \
	%reldir%/chat/command.c %reldir%/chat/command.h \
	%reldir%/chat/command-fault.c \
	%reldir%/chat/command-ignore.c \
	%reldir%/chat/command-keep.c \
	%reldir%/chat/command-order.c \
	%reldir%/chat/command-person.c \
	%reldir%/chat/command-recall.c \
	%reldir%/chat/command-room.c \
	%reldir%/chat/command-rule.c \
	%reldir%/chat/command-server.c \
	%reldir%/chat/command-undo.c \
	%reldir%/chat/ignore.c %reldir%/chat/ignore.h \
	%reldir%/chat/index.c %reldir%/chat/index.h \
	%reldir%/chat/invite.c %reldir%/chat/invite.h \
	%reldir%/chat/keep.c %reldir%/chat/keep.h \
	%reldir%/chat/lifecycle.c %reldir%/chat/lifecycle.h \
	%reldir%/chat/mail.c %reldir%/chat/mail.h \
	%reldir%/chat/note.c %reldir%/chat/note.h \
	%reldir%/chat/over.c %reldir%/chat/over.h \
	%reldir%/chat/peer.c %reldir%/chat/peer.h \
	%reldir%/chat/person.c %reldir%/chat/person.h \
	%reldir%/chat/recall.c %reldir%/chat/recall.h \
	%reldir%/chat/restore.c %reldir%/chat/restore.h \
	%reldir%/chat/room.c %reldir%/chat/room.h \
	%reldir%/chat/rule.c %reldir%/chat/rule.h \
	%reldir%/chat/session.c %reldir%/chat/session.h \
	%reldir%/chat/state.c %reldir%/chat/state.h \
	%reldir%/chat/stream.c %reldir%/chat/stream.h \
	%reldir%/chat/transcript.c %reldir%/chat/transcript.h \
	%reldir%/front/front.c %reldir%/front/front.h \
	%reldir%/front/plain.c %reldir%/front/plain.h \
	%reldir%/front/plain-frame.c \
	%reldir%/front/telnet.c %reldir%/front/telnet.h \
	%reldir%/host/accounts.c %reldir%/host/accounts.h \
	%reldir%/host/accounts-local.c %reldir%/host/accounts-local.h \
	%reldir%/host/accounts-nss.c \
	%reldir%/host/adopt.c %reldir%/host/adopt.h \
	%reldir%/host/answer.c %reldir%/host/answer.h \
	%reldir%/host/archivist.c %reldir%/host/archivist.h \
	%reldir%/host/archivist-answer.c \
	%reldir%/host/archivist-core.h \
	%reldir%/host/archivist-put.c \
	%reldir%/host/archivist-write.c \
	%reldir%/host/arrival.c %reldir%/host/arrival.h \
	%reldir%/host/connection.c %reldir%/host/connection.h \
	%reldir%/host/delivery.c %reldir%/host/delivery.h \
	%reldir%/host/fault.c %reldir%/host/fault.h \
	%reldir%/host/giving.c %reldir%/host/giving.h \
	%reldir%/host/history.c %reldir%/host/history.h \
	%reldir%/host/inherit.c %reldir%/host/inherit.h \
	%reldir%/host/input.c %reldir%/host/input.h \
	%reldir%/host/journal.c %reldir%/host/journal.h \
	%reldir%/host/listener.c %reldir%/host/listener.h \
	%reldir%/host/liveness.c %reldir%/host/liveness.h \
	%reldir%/host/names.c %reldir%/host/names.h \
	%reldir%/host/noting.c %reldir%/host/noting.h \
	%reldir%/host/notify.c %reldir%/host/notify.h \
	%reldir%/host/recalling.c %reldir%/host/recalling.h \
	%reldir%/host/reload.c %reldir%/host/reload.h \
	%reldir%/host/remember.c %reldir%/host/remember.h \
	%reldir%/host/runtime.c %reldir%/host/runtime.h \
	%reldir%/host/server.c %reldir%/host/server.h \
	%reldir%/host/settle.c %reldir%/host/settle.h \
	%reldir%/host/thread.c %reldir%/host/thread.h \
	%reldir%/host/tool.c %reldir%/host/tool.h \
	%reldir%/host/trim.c %reldir%/host/trim.h \
	%reldir%/host/vault.c %reldir%/host/vault.h
