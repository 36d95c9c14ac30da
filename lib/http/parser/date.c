/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "http/parser/date.h"

#define SEC_PER_DAY  86400
#define DAYS_PER_ERA 146097 /* 400 years, after which the Gregorian calendar repeats */
#define EPOCH_DAY    719468 /* from 1 March of year 0 to 1 January 1970 */

typedef struct Date {
        unsigned year, month, day; /* month and day count from 0 and 1 */
} Date;

/* Years begin in March here, which puts the leap day at their end. */
static Date date_from_days(uint64_t days) {
        uint64_t shifted = days + EPOCH_DAY;
        unsigned era = (unsigned) (shifted / DAYS_PER_ERA);
        unsigned day = (unsigned) (shifted % DAYS_PER_ERA);
        unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
        unsigned day_of_year = day - (365 * year + year / 4 - year / 100);
        unsigned month = (5 * day_of_year + 2) / 153;

        return (Date){
                .year = era * 400 + year + (month >= 10),
                .month = (month + 2) % 12,
                .day = day_of_year - (153 * month + 2) / 5 + 1,
        };
}

static void put_digits(char *string, unsigned n, unsigned value) {
        while (n-- > 0) {
                string[n] = (char) ('0' + value % 10);
                value /= 10;
        }
}

void http_date_format(uint64_t seconds, char ret[static HTTP_DATE_SIZE]) {
        static const char weekdays[] = "ThuFriSatSunMonTueWed";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        uint64_t days = seconds / SEC_PER_DAY;
        unsigned second = (unsigned) (seconds % SEC_PER_DAY);
        Date date = date_from_days(days);

        memcpy(ret, "Thu, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_SIZE);
        memcpy(ret, weekdays + 3 * (days % 7), 3);
        put_digits(ret + 5, 2, date.day);
        memcpy(ret + 8, months + 3 * date.month, 3);
        put_digits(ret + 12, 4, date.year);
        put_digits(ret + 17, 2, second / 3600);
        put_digits(ret + 20, 2, second / 60 % 60);
        put_digits(ret + 23, 2, second % 60);
}

int http_date_parse(const char *string, uint64_t *ret) {
        static const char *const formats[] = {
                "%a, %d %b %Y %H:%M:%S GMT",
                "%a, %d-%b-%y %H:%M:%S GMT",
                "%a %b %d %H:%M:%S %Y",
        };

        assert(string);
        assert(ret);

        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                struct tm tm = {};
                const char *end = strptime(string, formats[i], &tm);
                time_t seconds;

                if (!end || end[strspn(end, " \t")] != '\0')
                        continue;

                seconds = timegm(&tm);
                if (seconds < 0)
                        return -EINVAL;
                *ret = (uint64_t) seconds;
                return 0;
        }

        return -EINVAL;
}
