/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Event ids: the MESSAGE_ID of each event that an operator may want to search the journal for.
 *
 * An id never changes and is never reused; a new event gets a new one from "systemd-id128 new".
 * They are for log_event(). */

/* clang-format off */

/* The cluster */
#define EVENT_VOLUME_NEW        "2d4fbe8289494144a677ce96c0901850" /* reported for the first time */
#define EVENT_VOLUME_ADDED      "19fa6fb25146402b8fc603b81f3bb563" /* takes part in placement from now on */
#define EVENT_VOLUME_UP         "b627cfb6d3234e339403c77560635455" /* is heard of again */
#define EVENT_VOLUME_DOWN       "fc3e9597cbc243e0b5c157279b72c1df" /* has not been heard of for too long */
#define EVENT_VOLUME_CHANGED    "574a2530117f419ab176ac60afa6142b" /* has another weight, zone or URL */
#define EVENT_VOLUME_DRAINING   "0980ebdfb3f742508316139a5beb91cc" /* gets no new values, since it will be removed */
#define EVENT_VOLUME_REMOVED    "3c0b2cea7b8b4f809b92f87e7c5d94a9" /* is gone; its number is never used again */
#define EVENT_COPIES_CHANGED    "a1cb231c77f84f94a038f141fc3d2593" /* the number of copies of each value was changed */
#define EVENT_MAINTENANCE_BEGAN "82b3d22d86ef4540bfc66e49fcb23eb7" /* gets no new values for a while */
#define EVENT_MAINTENANCE_ENDED "2e958b56fe54480db862ee998c26e601" /* gets new values again */
#define EVENT_MAP_NOT_STORED    "37bec82439ed453c8290fd0898529d51" /* a change of the cluster map was not made */
#define EVENT_JOB_ENDED         "823dbb6647214bd1885368601f8ac220" /* a job is done, has failed or was cancelled */
#define EVENT_SECRET_MISMATCH   "a3bc306649eb4219b3531f9c41ba318f" /* the other daemon has another secret */
#define EVENT_FOREIGN_STORE     "1d7aa2a4a3cc41158dce84cac623d797" /* the directory is another volume's, or another cluster's */
#define EVENT_CLOCK_WRONG       "06ec31e253464e5faa9708159947eb99" /* the clock of a volume differs from the master's */
#define EVENT_SECRET_UNUSABLE   "8a1a78a0377b4137b6ab3d2f0252eac5" /* the secret is missing or cannot be read */
#define EVENT_TROUBLE           "1dfc2a105a4844b0b8eea3656a55586d" /* something is wrong, as "dkvadm status" shows */
#define EVENT_TROUBLE_OVER      "bcdf2709f770471cae791721e100005d" /* and is right again */
#define EVENT_MASTER_DEPOSED    "4b00236ff7d64e5d8beb9fb227736adc" /* another master leads: this one ends */
#define EVENT_ROLLBACK_ACCEPTED "7497c0543a834fabb2dce6a007cf5f67" /* an older index leads, and writes that it does not know are lost */

/* The disk */
#define EVENT_RECOVERED         "99042ad1e6cf4397bc6a66bc10e7be80" /* the last run was not stopped cleanly */
#define EVENT_DISK_NEARLY_FULL  "baeec4d8aaa44c6ebb6ac96ecb99fbce" /* above the high-water mark */
#define EVENT_STORE_FAULT       "a3f4c9172e25457791e1df944ed33f34" /* a volume cannot store values: full, read-only, ... */
#define EVENT_STORE_WELL        "8b452375019c4e0fa36e5d5df3b66e36" /* it can again */
#define EVENT_CORRUPTION_FOUND  "2da6849331504ce581199795471e42f7" /* a checksum does not match */
#define EVENT_VALUE_LOST        "743d20e8cf764ab0a5da732e99b31c4c" /* no good copy of a value is left */
#define EVENT_STORE_DAMAGED     "cc3f8226f9674adea1c7ec3876139553" /* damaged so badly that it was not opened; nothing was changed */
#define EVENT_STORE_INCOMPLETE  "460d97733d1741bc8c18f7c52f77d71b" /* a file of a store is missing: the daemon does not start */
#define EVENT_DISK_FAILED       "95983059cf84429a8905d31ab3c846be" /* the device failed to read, write or flush: the daemon aborts */

/* clang-format on */
