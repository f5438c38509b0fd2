// A limit for whatever is waited for.

const PATIENCE = 5000;

/** Waits for a promise, but not for long. */
export async function withPatience(promise, what, patience = PATIENCE) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come in ${patience} ms`)), patience);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
