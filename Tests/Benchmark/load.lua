-- What wrk sends: the requests of many users, one after the other, with the same fields to every program.
--
-- usage: wrk ... -s load.lua URL -- CREDENTIALS [MEAN PAUSE IN MILLISECONDS] [random]
--
-- CREDENTIALS has a line '<user> <key or token>' for each. With a pause above 0 every connection waits after each answer,
-- any time between none and twice the mean, so that the connections do not fall into step. With `random` each request is
-- of any user.

local requests, position, is_random = {}, 0, false

function init(arguments)
  for line in io.lines(arguments[1]) do
    local user, credential = string.match(line, '^(%S+) (%S+)$')
    requests[#requests + 1] = wrk.format('GET', nil, { ['Authorization'] = 'Bearer ' .. credential, ['X-User'] = user })
  end
  local pause = tonumber(arguments[2] or '0')
  if pause > 0 then
    function delay() return math.random() * 2 * pause + 0.5 end
  end
  is_random = arguments[3] == 'random'
  math.randomseed(os.time())
end

function request()
  position = is_random and math.random(#requests) or position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  print(table.concat({ 'result', summary.duration, summary.requests, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout }, ' '))
end
