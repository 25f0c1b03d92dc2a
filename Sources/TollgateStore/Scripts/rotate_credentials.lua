-- Gives a platform a new key. The one so far works on until the overlap ends; one before that ends at once.
-- values.lua and change_limit.lua stand before it.
--
-- PLATFORM_KEY user:{user}:platformId  CURRENT_KEY user:{user}:apiKey  PREVIOUS_KEY user:{user}:previousApiKey
-- MINUTE_CHANGES_KEY keys:{user}:changes:<minute>  DAY_CHANGES_KEY keys:{user}:changes:<day>
-- Names are those of RotateCredentialsSignature.
--
-- Reply: the outcome. With ROTATED: platform, key so far, key before that or ''.

local platform, current = redis.call('GET', KEYS[PLATFORM_KEY]), redis.call('GET', KEYS[CURRENT_KEY])
if not (platform and current) then return { UNKNOWN } end
local reached = change_limit(KEYS[MINUTE_CHANGES_KEY], ARGV[MINUTE_LIMIT], KEYS[DAY_CHANGES_KEY], ARGV[DAY_LIMIT])
if reached then return { reached } end

local before = redis.call('HGET', KEYS[PREVIOUS_KEY], 'apiKey') or ''
redis.call('DEL', KEYS[PREVIOUS_KEY])
redis.call('HSET', KEYS[PREVIOUS_KEY], 'apiKey', current, 'status', 'active', 'until', ARGV[OVERLAP_END])
redis.call('EXPIRE', KEYS[PREVIOUS_KEY], ARGV[KEPT_SECONDS])
redis.call('SET', KEYS[CURRENT_KEY], ARGV[API_KEY])
count_change(KEYS[MINUTE_CHANGES_KEY], KEYS[DAY_CHANGES_KEY])
return { ROTATED, platform, current, before }
