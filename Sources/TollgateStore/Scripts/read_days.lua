-- What a user was charged for on some days.
--
-- Redis answers no other call meanwhile: no further day is begun once so many fields were read. A day has a field for
-- each of the operator's routes that charged the user.
--
-- KEYS[1...] usage:{user}:<day>, one for each day
--
-- Reply: for each day that was read, the first ones, at least one: route, calls, route, calls, ...

local MAXIMUM_FIELDS = 512

local days, fields = {}, 0
for index, key in ipairs(KEYS) do
  if fields >= MAXIMUM_FIELDS then break end
  days[index] = redis.call('HGETALL', key)
  fields = fields + #days[index] / 2
end
return days
