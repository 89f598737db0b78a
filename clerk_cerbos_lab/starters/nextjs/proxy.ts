import { clerkMiddleware } from "@clerk/nextjs/server";

export default clerkMiddleware();

export const config = {
  matcher: ["/((?!_next|[^?]*\\.(?:css|js|ico|png|svg|jpe?g|webp|woff2?)).*)", "/api/(.*)"],
};
