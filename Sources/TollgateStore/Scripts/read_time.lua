-- The time of the server that keeps KEYS[1], as TIME tells it. Of one key it is always the same clock, in a cluster too.

return redis.call('TIME')
