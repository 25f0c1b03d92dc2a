-- What a user was charged for on some days.
--
-- KEYS[1...] usage:{user}:<day>, one for each day
--
-- Reply: for each day route, calls, route, calls, ...

local days = {}
for index, key in ipairs(KEYS) do days[index] = redis.call('HGETALL', key) end
return days
