-- Gives a user credentials, unless they have them: whatever came first stays. Each half on its own, so that a pair of
-- which one half was lost is made whole. Making the key is a change of keys. values.lua and
-- change_limit.lua stand before it.
--
-- KEYS[1] user:{user}:platformId        KEYS[2] user:{user}:apiKey
-- KEYS[3] keys:{user}:changes:<minute>  KEYS[4] keys:{user}:changes:<day>
-- ARGV by the names of KeepCredentialsArgument.
--
-- Reply: outcome (0 kept, 1 too often in this minute, 2 too often on this day). With the first: platform, key.

local key = redis.call('GET', KEYS[2])
if not key then
  local reached = change_limit(KEYS[3], ARGV[MINUTE_LIMIT], KEYS[4], ARGV[DAY_LIMIT])
  if reached then return { reached } end
  key = ARGV[API_KEY]
  redis.call('SET', KEYS[2], key)
  count_change(KEYS[3], KEYS[4])
end
redis.call('SET', KEYS[1], ARGV[PLATFORM_ID], 'NX')
return { 0, redis.call('GET', KEYS[1]), key }
