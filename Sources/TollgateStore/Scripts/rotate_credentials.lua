-- Gives a platform a new key. The one so far works on until the overlap ends; one before that ends at once.
-- values.lua and change_limit.lua stand before it.
--
-- KEYS[1] user:{user}:platformId        KEYS[2] user:{user}:apiKey           KEYS[3] user:{user}:previousApiKey
-- KEYS[4] keys:{user}:changes:<minute>  KEYS[5] keys:{user}:changes:<day>
-- ARGV by the names of RotateCredentialsArgument.
--
-- Reply: outcome (0 rotated, 1 too often in this minute, 2 too often on this day, 3 no credentials). With the first:
-- platform, key so far, key before that or ''.

local platform, current = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if not (platform and current) then return { 3 } end
local reached = change_limit(KEYS[4], ARGV[MINUTE_LIMIT], KEYS[5], ARGV[DAY_LIMIT])
if reached then return { reached } end

local before = redis.call('HGET', KEYS[3], 'apiKey') or ''
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], 'apiKey', current, 'status', 'active', 'until', ARGV[OVERLAP_END])
redis.call('EXPIRE', KEYS[3], ARGV[KEPT_SECONDS])
redis.call('SET', KEYS[2], ARGV[API_KEY])
count_change(KEYS[4], KEYS[5])
return { 0, platform, current, before }
