/**
 * The shapes that several modules share. `manifest.json` is described field by field in the README of the bundle
 * format (webgpu_kit/manifest.py); sizes are in bytes.
 *
 * @typedef {"webgpu" | "wasm"} Backend
 *
 * @typedef {{path: string, bytes: number, sha256: string}} Chunk
 * @typedef {{name: string, bytes: number, sha256: string, chunks: Chunk[]}} File
 * @typedef {{name: string, dtype: string, shape: (number|string)[]}} TensorSpec
 * @typedef {{offset: number, bytes: number}} Span
 *
 * @typedef {object} Expansion  one tensor of expanded.bin, made from parts of weights.bin
 * @property {string} name
 * @property {"blocks" | "levels" | "float16" | "bfloat16"} kind
 * @property {"float32" | "float16" | "uint8"} dtype
 * @property {number} rows
 * @property {number} columns
 * @property {boolean} transpose
 * @property {number} bits
 * @property {number} block_size
 * @property {number} offset
 * @property {Span} data
 * @property {Span | null} [scales]
 * @property {"float32" | "float16" | "uint8"} scales_dtype
 * @property {Span | null} [zero_points]
 * @property {Span | null} [offsets]  scales_dtype, one a block; where given, value = q * scale + offset
 * @property {Span | null} [row_scales]  float32, one a row; where given, the value becomes an integer, 0 to 255
 * @property {Span | null} [row_zero_points]  uint8, one a row: the integer that stands for 0
 * @property {Span | null} [column_factors]  float32, one a column: multiplied with the value before
 * @property {Span | null} [super_scales]  float16, one for super_size blocks: scale = (byte - 128) * super-scale
 * @property {Span | null} [super_offsets]
 * @property {number} [super_size]
 * @property {number[]} [codebook]  2 ** bits integers of -128 to 127 that q stands for; none when empty
 *
 * @typedef {{file: string, expanded_bytes: number, memory_bytes?: number, heap_bytes?: number,
 *   expand: Expansion[]}} BackendGraph
 * @typedef {object} Parity  measured when it was built
 * @property {import("./parity.js").Metric} metric
 * @property {number} value
 * @property {number} threshold
 * @property {number} max_abs_error
 * @property {string} [method]  how the weights were rounded, in words
 * @property {Record<string, number>} [details]  of a model that talks, figures on a text
 *
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} dtype
 * @property {Backend[]} backends
 * @property {string[]} requires
 * @property {number} max_buffer_bytes
 * @property {number} memory_bytes
 * @property {number} download_bytes
 * @property {File[]} files
 * @property {Partial<Record<Backend, BackendGraph>>} graphs
 * @property {Parity} parity
 *
 * @typedef {object} Manifest
 * @property {number} schema
 * @property {string} name
 * @property {string} title
 * @property {string} task
 * @property {string} license
 * @property {{uri: string, revision: string, sha256: string}} source
 * @property {Record<string, string>} tools
 * @property {{inputs: TensorSpec[], outputs: TensorSpec[]}} interface
 * @property {Variant[]} variants  best first
 * @property {File[]} assets
 * @property {{path: string, sha256: string, count: number}} golden
 * @property {Record<string, any>} settings
 *
 * @typedef {"jspi" | "asyncify" | "wasm"} BuildName
 * @typedef {{module: string, glue: string, wasm: File}} RuntimeBuild
 * @typedef {{onnxruntime_web: string, builds: Record<BuildName, RuntimeBuild>, tokenizers: string, jinja: string, xgrammar: string}} Runtime
 *
 * @typedef {{vendor: string, architecture: string, description: string, software: boolean}} Adapter
 *
 * @typedef {object} Device  what the worker found out about this browser
 * @property {Adapter | null} adapter
 * @property {string} gpuReason  why there is no adapter ("" when there is one)
 * @property {string[]} features
 * @property {number} maxBufferBytes  the largest tensor that the adapter can hold; 0 without an adapter
 * @property {boolean} isolated
 * @property {boolean} jspi
 * @property {number} cores
 * @property {number} memoryBytes  what the browser admits to; 0 where it does not say
 *
 * @typedef {"probe" | "download" | "session" | "self-test" | "ready"} Stage
 * @typedef {object} Progress
 * @property {Stage} stage
 * @property {string} file
 * @property {number} loadedBytes
 * @property {number} totalBytes
 * @property {number} bytesPerSecond
 * @property {string} variant
 * @property {Backend | ""} backend
 *
 * @typedef {{variant: string, backend: Backend, ok: boolean, reason: string}} Attempt
 * @typedef {{variant: string, backend: Backend}} Pair
 *
 * @typedef {import("./tensors.js").Tensor} Tensor
 * @typedef {Record<string, Tensor>} Tensors
 * @typedef {{input: any, outputs: Tensors}} GoldenSample
 * @typedef {{origin: string, samples: GoldenSample[]}} Golden
 * @typedef {{outputs: Tensors, timeMs: number} & Record<string, any>} Answer
 * @typedef {{dispatches: number, submits: number, maps: number, bytesRead: number}} Stats
 *
 * @typedef {object} GenerationSettings  settings.generation of a text-generation model
 * @property {number} layers
 * @property {number} kv_heads
 * @property {number} head_size
 * @property {number} vocabulary
 * @property {number} context_length  tokens
 * @property {number | null} bos_token_id
 * @property {number[]} eos_token_ids
 * @property {boolean} add_bos
 * @property {string} chat_template
 * @property {"float32" | "float16"} cache_dtype
 * @property {Partial<import("./generation/sampler.js").Sampling> & {max_tokens?: number}} [defaults]
 *
 * @typedef {object} ChatMessage  as chat templates take it
 * @property {"system" | "user" | "assistant" | "tool"} role
 * @property {string} content
 * @property {{id: string, type: "function", function: {name: string, arguments: Record<string, unknown>}}[]} [tool_calls]
 * @property {string} [tool_call_id]  which call this is the result of
 * @property {string} [name]  of the function that was called
 *
 * @typedef {{type: "function", function: Record<string, unknown>}} Tool  as chat templates take it
 * @typedef {{index: number, id?: string, name?: string, arguments: string}} CallPiece  the first of each call has its
 *   id and name
 *
 * @typedef {{type: "json_object"} | {type: "json_schema", schema: Record<string, any>}} TextFormat
 * @typedef {{name: string, description: string, parameters: Record<string, any>, param: string}} Callable
 * @typedef {{type: "tools", functions: Callable[], required: boolean, parallel: boolean}} ToolFormat
 * @typedef {TextFormat | ToolFormat} AnswerFormat
 *
 * @typedef {object} GenerationRequest  what the page sends to the worker
 * @property {ChatMessage[]} messages
 * @property {Partial<import("./generation/sampler.js").Sampling>} sampling  what is left out comes from the model's defaults
 * @property {string[]} stop
 * @property {number | null} maxTokens
 * @property {Tool[] | null} [tools]  what the template shows to the model
 * @property {AnswerFormat | null} [format]  what the answer is held to
 *
 * @typedef {{promptTokens: number, cachedTokens: number}} GenerationStart
 *
 * @typedef {object} GenerationTimings
 * @property {number} firstTokenMs  from the worker taking up the request to its first token
 * @property {number} tokensPerSecond  of the tokens after the first; 0 while there are none
 * @property {number} promptTokens
 * @property {number} cachedTokens  those of the prompt that an earlier turn had left in the cache
 * @property {number} completionTokens
 * @property {number} contextLength
 *
 * @typedef {{finishReason: "stop" | "length" | "tool_calls" | "aborted", timings: GenerationTimings}} GenerationEnd
 *
 * @typedef {object} EmbedRequest
 * @property {readonly (string | number[])[]} inputs  texts, or token ids with the special ones
 * @property {boolean} cut  whether texts longer than the model reads are cut; else they are refused
 *
 * @typedef {object} EmbedAnswer
 * @property {Float32Array<ArrayBuffer>} embeddings  a row of `dimensions` for each input, one after the other
 * @property {number} dimensions
 * @property {Uint32Array} tokenCounts  of each input, special tokens included
 * @property {number} timeMs
 *
 * @typedef {object} StartParams  what the worker needs to load one pair
 * @property {Manifest} manifest
 * @property {string} manifestUrl
 * @property {Runtime} runtime
 * @property {string} runtimeUrl
 * @property {Pair} pair
 *
 * @typedef {object} Started  what the worker says when a pair is ready
 * @property {number} threads
 * @property {BuildName} build
 * @property {number} downloadMs
 * @property {number} sessionMs
 * @property {number} selfTestMs
 * @property {number} downloadedBytes
 */

export {};
