-- A user's keys, the oldest first.
--
-- KEYS[1] keys:{user}
-- The name of each key:{user}:{id} is made here: which ones there are shows only now, and all lie in one slot.
--
-- Reply: id, its fields and their values, id, ...

local keys = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  keys[#keys + 1] = id
  keys[#keys + 1] = redis.call('HGETALL', 'key' .. string.sub(KEYS[1], #'keys' + 1) .. ':{' .. id .. '}')
end
return keys
