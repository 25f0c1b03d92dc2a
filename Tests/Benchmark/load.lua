-- What wrk sends: the requests of many users, one after the other, with the same fields to every program.
--
-- usage: wrk ... -s load.lua URL -- CREDENTIALS [MEAN PAUSE IN MILLISECONDS]
--
-- CREDENTIALS has a line '<user> <key or token>' for each. With a pause every connection waits after each answer, any
-- time between none and twice the mean, so that the connections do not fall into step.

local requests, position = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local user, credential = string.match(line, '^(%S+) (%S+)$')
    requests[#requests + 1] = wrk.format('GET', nil, { ['Authorization'] = 'Bearer ' .. credential, ['X-User'] = user })
  end
  local pause = tonumber(arguments[2] or '')
  if pause then
    function delay() return math.random() * 2 * pause + 0.5 end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  print(table.concat({ 'result', summary.duration, summary.requests, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout }, ' '))
end
