"""`make bench`: every table, one after the other."""

from bench import cold_import, compose, media, page, path, repair, start, webhook

for bench in (webhook, start, cold_import, repair, path, page, media, compose):
    bench.main()
