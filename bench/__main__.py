"""`make bench`: every table, one after the other."""

from bench import cold_import, compose, fleet, media, page, path, repair, start, webhook

for bench in (webhook, start, cold_import, repair, path, page, media, compose, fleet):
    bench.main()
