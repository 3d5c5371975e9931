-- Parts of a list: which value is in which, and how the parts are named.

local shard = require("webpubsub.shard")

-- An environment of these variables.
local function environment(variables)
  return function(name) return variables[name] end
end

describe("the shard of a value", function()
  it("is the same everywhere: FNV-1a of 32 bits", function()
    -- value, hash; from the authors' own test vectors
    local vectors = {
      { "", 0x811c9dc5 }, { "a", 0xe40c292c }, { "b", 0xe70c2de5 }, { "foo", 0xa9f37ed7 }, { "foobar", 0xbf9cf968 },
    }
    for _, vector in ipairs(vectors) do
      for _, count in ipairs({ 1, 2, 3, 7, 1000, 1000000 }) do
        assert.are.equal(vector[2] % count + 1, shard.of(vector[1], count), vector[1])
      end
    end
    assert.are.equal(2, shard.of("\0\255\128", 5))
  end)

  it("is one of so many, and none has much more than its part", function()
    local COUNT, VALUES = 7, 7000
    local sizes = {}
    for index = 1, VALUES do
      local own = shard.of("user" .. index, COUNT)
      sizes[own] = (sizes[own] or 0) + 1
    end
    assert.are.equal(COUNT, #sizes)
    for _, size in ipairs(sizes) do assert.is_true(size > 850 and size < 1150, size) end
  end)
end)

describe("a shard", function()
  it("is written I/N", function()
    assert.are.same({ 2, 5 }, shard.parse("2/5"))
    assert.are.same({ 1, 1 }, shard.parse("1/1"))
    assert.are.same({ 1000000, 1000000 }, shard.parse("1000000/1000000"))
  end)

  it("is refused where it is none", function()
    for text in ("1 / 0/5 6/5 1/0 -1/5 1.5/2 1/2/3 1/1000001 a/b 1/0x2"):gmatch("%S+") do
      local parsed, why = shard.parse(text)
      assert.is_nil(parsed)
      assert.are.equal(('a shard is written I/N, such as 2/5, with N from 1 to 1000000 and I from 1 to N; it is "%s"')
        :format(text), why)
    end
  end)

  it("is the one of a pod in an indexed Job", function()
    assert.are.same({ 1, 5 }, shard.from_environment(environment({ JOB_COMPLETION_INDEX = "0" }), 5))
    assert.are.same({ 5, 5 }, shard.from_environment(environment({ JOB_COMPLETION_INDEX = "4" }), 5))
  end)

  it("is the one of a task in a job array, wherever that begins and however it counts", function()
    local array = { SLURM_ARRAY_TASK_ID = "14", SLURM_ARRAY_TASK_COUNT = "4", SLURM_ARRAY_TASK_MIN = "10",
      SLURM_ARRAY_TASK_STEP = "2" }
    assert.are.same({ 3, 4 }, shard.from_environment(environment(array)))
    assert.are.same({ 3, 4 }, shard.from_environment(environment(array), 4))
    assert.are.same({ 4, 8 }, shard.from_environment(environment({ SLURM_ARRAY_TASK_ID = "3" }), 8))
  end)

  it("is not guessed", function()
    -- variables, count, what is said
    local wrong = {
      { {}, 5, "neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set" },
      { { JOB_COMPLETION_INDEX = "0" }, nil, "the number of shards is not known" },
      { { JOB_COMPLETION_INDEX = "5" }, 5, "JOB_COMPLETION_INDEX is 5, which is none of 5 shards" },
      { { JOB_COMPLETION_INDEX = "x" }, 5, "JOB_COMPLETION_INDEX is x, which is none of 5 shards" },
      { { SLURM_ARRAY_TASK_ID = "1", SLURM_ARRAY_TASK_COUNT = "4" }, 5,
        "there are to be 5 shards, but SLURM_ARRAY_TASK_COUNT is 4" },
      { { SLURM_ARRAY_TASK_ID = "9", SLURM_ARRAY_TASK_COUNT = "3", SLURM_ARRAY_TASK_MIN = "1" }, nil,
        "SLURM_ARRAY_TASK_ID is 9, which is none of 3 shards" }, -- --array=1,5,9
      { { SLURM_ARRAY_TASK_ID = "0", SLURM_ARRAY_TASK_COUNT = "3", SLURM_ARRAY_TASK_MIN = "1" }, nil,
        "SLURM_ARRAY_TASK_ID is 0, which is none of 3 shards" },
    }
    for _, case in ipairs(wrong) do
      local found, why = shard.from_environment(environment(case[1]), case[2])
      assert.is_nil(found)
      assert.are.equal(case[3], why)
    end
  end)
end)
