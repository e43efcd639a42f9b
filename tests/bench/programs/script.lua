-- The script that the lua benchmark runs: tables, closures, strings, coroutines, floating point.
local function sieve(n)
  local composite, primes = {}, {}
  for i = 2, n do
    if not composite[i] then
      primes[#primes + 1] = i
      for k = i * i, n, i do composite[k] = true end
    end
  end
  return primes
end

local function words(count)
  return coroutine.wrap(function()
    local state = 1
    for _ = 1, count do
      state = (state * 1664525 + 1013904223) % 4294967296
      coroutine.yield(string.format("w%x", state >> 20))
    end
  end)
end

local primes = sieve(60000)
print(#primes, primes[#primes])

local counts = {}
for word in words(12000) do counts[word] = (counts[word] or 0) + 1 end
local sorted = {}
for word in pairs(counts) do sorted[#sorted + 1] = word end
table.sort(sorted, function(a, b)
  if counts[a] ~= counts[b] then return counts[a] > counts[b] end
  return a < b
end)
print(table.concat(sorted, " ", 1, 20))

local point = {}
point.__index = point
point.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, point) end
function point:length() return math.sqrt(self.x * self.x + self.y * self.y) end
local total = setmetatable({x = 0, y = 0}, point)
for n = 1, 40000 do total = total + setmetatable({x = n % 7, y = n % 11 / 2}, point) end
print(string.format("%.6f", total:length()))

local text = table.concat(sorted, " ")
local found = 0
for a, b in text:gmatch("w(%d)(%a)") do found = found + a:byte() * b:byte() end
print(found, #text:gsub("[a-c]", string.upper), text:sub(1, 40):reverse())
