-- What the peer with nginx and Lua counts, atomically: the requests of a minute, and all calls of a user.
--
-- KEYS[1] count of the minute    KEYS[2] hash with the user's calls    ARGV[1] the most requests in a minute
--
-- Reply: 1 admitted or 0 refused, requests of this minute, calls so far.

local requests = redis.call('INCR', KEYS[1])
if requests == 1 then redis.call('EXPIRE', KEYS[1], 120) end
if requests > tonumber(ARGV[1]) then return { 0, requests, 0 } end
return { 1, requests, redis.call('HINCRBY', KEYS[2], 'calls', 1) }
