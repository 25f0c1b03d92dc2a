-- Gives a user credentials, unless they have them: whatever came first stays. Each half on its own, so that a pair of
-- which one half was lost is made whole.
--
-- KEYS[1] user:{user}:platformId        KEYS[2] user:{user}:apiKey
-- ARGV[1] candidate for the platform    ARGV[2] candidate for the key
--
-- Reply: platform, key.

local function keep(key, candidate)
  redis.call('SET', key, candidate, 'NX')
  return redis.call('GET', key)
end

return { keep(KEYS[1], ARGV[1]), keep(KEYS[2], ARGV[2]) }
