-- What a workspace and model have used within the minute; changes nothing. `limits/window.py` says what is right.
--
-- KEYS  1 times of the minute's requests   2 the minute's charges, "time tokens total"   3 tokens of the month
-- ARGV  1 now, or "" for this server's time
-- Returns {requests, tokens, tokens of the month}; those of a month that is not known here are 0

local REQUESTS, CHARGES, MONTH = KEYS[1], KEYS[2], KEYS[3]
local horizon = clock(ARGV[1]) - MINUTE

-- The number of entries of a list, in the order of time, that lie at or before the horizon.
local function forgotten(list, time_at)
  local low, high = 0, redis.call('LLEN', list)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if time_at(middle) <= horizon then low = middle + 1 else high = middle end
  end
  return low
end

local first_request = forgotten(REQUESTS, function(index) return tonumber(redis.call('LINDEX', REQUESTS, index)) end)
local first_charge = forgotten(CHARGES, function(index) return (charge_at(CHARGES, index)) end)

local _, first_tokens, first_total = charge_at(CHARGES, first_charge)
local _, _, last_total = charge_at(CHARGES, -1)
local tokens = first_total and last_total - first_total + first_tokens or 0
return {redis.call('LLEN', REQUESTS) - first_request, tokens, tonumber(redis.call('GET', MONTH) or '0')}
