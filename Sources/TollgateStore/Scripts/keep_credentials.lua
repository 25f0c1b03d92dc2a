-- Gives a user credentials, unless they have them: whatever came first stays. Each half on its own, so that a pair of
-- which one half was lost is made whole. Making the key is a change of keys. values.lua and
-- change_limit.lua stand before it.
--
-- PLATFORM_KEY user:{user}:platformId  CURRENT_KEY user:{user}:apiKey
-- MINUTE_CHANGES_KEY keys:{user}:changes:<minute>  DAY_CHANGES_KEY keys:{user}:changes:<day>
-- Names are those of KeepCredentialsSignature.
--
-- Reply: the outcome. With KEPT: platform, key.

local key = redis.call('GET', KEYS[CURRENT_KEY])
if not key then
  local reached = change_limit(KEYS[MINUTE_CHANGES_KEY], ARGV[MINUTE_LIMIT], KEYS[DAY_CHANGES_KEY], ARGV[DAY_LIMIT])
  if reached then return { reached } end
  key = ARGV[API_KEY]
  redis.call('SET', KEYS[CURRENT_KEY], key)
  count_change(KEYS[MINUTE_CHANGES_KEY], KEYS[DAY_CHANGES_KEY])
end
redis.call('SET', KEYS[PLATFORM_KEY], ARGV[PLATFORM_ID], 'NX')
return { KEPT, redis.call('GET', KEYS[PLATFORM_KEY]), key }
